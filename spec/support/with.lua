-- with(usual, more): a new table with the fields of the one, and those of the other over them. Either may be nil.
-- Must never change what it was given: specs hand in tables that serve again.

return function(usual, more)
  local all = {}
  for key, value in pairs(usual or {}) do
    all[key] = value
  end
  for key, value in pairs(more or {}) do
    all[key] = value
  end
  return all
end
