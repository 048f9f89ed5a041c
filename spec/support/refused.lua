-- refused(code, call(...)): the call gave nil and an error with this code. The error, to be looked at further.
-- Must never be content with an answer, or with another error.

local assert = require "luassert"

return function(code, value, err)
  assert.is_nil(value)
  assert.equal(code, err.code, tostring(err))
  return err
end
