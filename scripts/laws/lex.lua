-- lex: C and Lua sources with their comments and strings blanked out, line by line
-- where they were, so that the laws look at code only. Must never judge anything.

local lex = {}

-- The same text with everything but line breaks turned to spaces.
local function blank(text)
    return (text:gsub("[^\n]", " "))
end

-- Replaces each piece that `next_piece` finds. next_piece(text, pos) gives the first
-- and last position of the next piece to blank, or nil.
local function blank_pieces(text, next_piece)
    local out, pos = {}, 1
    while true do
        local first, last = next_piece(text, pos)
        if not first then
            out[#out + 1] = text:sub(pos)
            return table.concat(out)
        end
        out[#out + 1] = text:sub(pos, first - 1)
        out[#out + 1] = blank(text:sub(first, last))
        pos = last + 1
    end
end

-- The end of a string that opens at `first` with the quote character there.
local function quoted_end(text, first)
    local quote, pos = text:sub(first, first), first + 1
    while pos <= #text do
        local c = text:sub(pos, pos)
        if c == "\\" then
            pos = pos + 2
        elseif c == quote or c == "\n" then
            return pos
        else
            pos = pos + 1
        end
    end
    return #text
end

local function next_c_piece(text, pos)
    local first = text:find("[\"'/]", pos)
    while first do
        local two = text:sub(first, first + 1)
        if two == "/*" then
            local _, last = text:find("*/", first + 2, true)
            return first, last or #text
        elseif two == "//" then
            return first, (text:find("\n", first, true) or #text + 1) - 1
        elseif two:sub(1, 1) ~= "/" then
            return first, quoted_end(text, first)
        end
        first = text:find("[\"'/]", first + 1)
    end
end

local function next_lua_piece(text, pos)
    local first = text:find("[\"'%-%[]", pos)
    while first do
        local comment = text:sub(first, first + 1) == "--"
        local opening = comment and first + 2 or first
        local level = text:match("^%[(=*)%[", opening)
        if level then
            local _, last = text:find("]" .. level .. "]", opening, true)
            return first, last or #text
        elseif comment then
            return first, (text:find("\n", first, true) or #text + 1) - 1
        elseif text:find("^[\"']", first) then
            return first, quoted_end(text, first)
        end
        first = text:find("[\"'%-%[]", first + 1)
    end
end

-- C without comments and strings. Quoted includes lose their names: read those before.
function lex.c(text)
    return blank_pieces(text, next_c_piece)
end

-- C as the above, and without preprocessor lines (and what continues them).
function lex.c_code(text)
    local code = "\n" .. lex.c(text):gsub("\\\n", " \1")
    code = code:gsub("(\n[ \t]*)(#[^\n]*)", function(start, line)
        return start .. line:gsub("[^\1]", " ")
    end)
    return (code:gsub("\1", "\n"):sub(2))
end

function lex.lua(text)
    return blank_pieces(text, next_lua_piece)
end

-- for line_number, line in lex.lines(text)
function lex.lines(text)
    local number = 0
    local step = (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("([^\n]*)\n")
    return function()
        local line = step()
        number = number + 1
        if line then
            return number, line
        end
    end
end

function lex.line_of(text, pos)
    local _, breaks = text:sub(1, pos - 1):gsub("\n", "")
    return breaks + 1
end

return lex
