-- sizes: files of at most 500 lines, functions of at most 60, C or Lua, and a first
-- comment in every file. Must never look at what the code does.

local lex = require("lex")

local FILE_LINES = 500
local FUNCTION_LINES = 60

local sizes = {}

-- Calls report(first_line, last_line, name, body) for every function defined in C code.
-- A `}` in the first column ends whatever is open, so one odd macro can't hide the rest.
function sizes.c_functions(text, report)
    local code = lex.c_code(text)
    local depth, pos, statement, open = 0, 1, 1, nil
    while true do
        local at = code:find("[{};]", pos)
        if not at then
            return
        end
        local c = code:sub(at, at)
        local head = code:sub(statement, at - 1)
        if c == "{" then
            if depth == 0 and head:find("%)[%s%w_]*$") and not head:find("=") then
                open = { statement + #head:match("^%s*"), head:match("([%w_]+)%s*%(") or "?" }
            end
            depth = depth + 1
        elseif c == "}" then
            local column_one = at == 1 or code:sub(at - 1, at - 1) == "\n"
            depth = column_one and 0 or math.max(depth - 1, 0)
            if depth == 0 and open then
                report(lex.line_of(code, open[1]), lex.line_of(code, at), open[2], "")
                open = nil
            end
        end
        if depth == 0 then
            statement = at + 1
        end
        pos = at + 1
    end
end

local OPENS = { ["function"] = true, ["do"] = true, ["if"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true }

-- The same for Lua. The name is what stands on the line of `function`.
function sizes.lua_functions(text, report)
    local code = lex.lua(text)
    local open = {}
    for at, word in code:gmatch("()([%a_][%w_]*)") do
        local field = code:sub(at - 1, at - 1):find("[.:]") and code:sub(at - 2, at - 1) ~= ".."
        if not field and OPENS[word] then
            open[#open + 1] = { word, at }
        elseif not field and CLOSES[word] and #open > 0 then
            local was = table.remove(open)
            if was[1] == "function" then
                local first = lex.line_of(code, was[2])
                local line = code:sub(1, was[2]):match("([^\n]*)$") .. code:sub(was[2] + 1):match("^[^\n]*")
                report(first, lex.line_of(code, at), (line:gsub("^%s+", "")), code:sub(was[2], at))
            end
        end
    end
end

-- What holds a spec's tests may be long; the tests may not.
local function is_group(file, body)
    return file:find("^spec/") and (body:find("%f[%w_]it%s*[%(\"']") or body:find("%f[%w_]describe%s*[%(\"']"))
end

local FIRST = { c = { "^/%*", "^//" }, h = { "^/%*", "^//" }, lua = { "^#![^\n]*\n%-%-", "^%-%-" } }

local function check_first_comment(file, text, fail)
    for _, pattern in ipairs(FIRST[file:match("%.(%w+)$")] or { "" }) do
        if text:find(pattern) then
            return
        end
    end
    fail(file, 1, "first-comment", "begins without a comment that says what it is")
end

function sizes.check(file, text, fail)
    local _, lines = text:gsub("\n", "")
    local ext = file:match("%.(%w+)$")
    if lines > FILE_LINES then
        fail(file, lines, "file-size", lines .. " lines, at most " .. FILE_LINES)
    end
    if file:find("^src/") or file:find("^lua/") or file:find("^scripts/") then
        check_first_comment(file, text, fail)
    end
    local functions = ({ c = sizes.c_functions, h = sizes.c_functions, lua = sizes.lua_functions })[ext]
    if functions then
        functions(text, function(first, last, name, body)
            local n = last - first + 1
            if n > FUNCTION_LINES and not is_group(file, body) then
                fail(file, first, "function-size", n .. " lines, at most " .. FUNCTION_LINES .. ": " .. name)
            end
        end)
    end
end

return sizes
