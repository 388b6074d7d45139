-- What we keep about people of an operator's own directory, which is never written to.

ALTER TABLE account ADD COLUMN disabled {int};   -- since when the login is refused by us
ALTER TABLE account ADD COLUMN seen TEXT;        -- the address under which the directory showed him last
