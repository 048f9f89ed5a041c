function love.conf(t)
  t.identity = "authgear-leaderboard"
  t.window.title = "Leaderboard"
  t.window.width, t.window.height, t.window.msaa = 800, 480, 4
  for _, name in ipairs { "audio", "sound", "physics", "joystick", "video", "touch" } do
    t.modules[name] = false
  end
end
