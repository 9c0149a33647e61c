-- What an audit row says besides: NULL where it is nothing, so that the hashes of the rows that were chained before still hold.

ALTER TABLE audit ADD COLUMN origin TEXT;    -- where it was asked for: a network address, or 'command'
ALTER TABLE audit ADD COLUMN old TEXT;       -- what was in force before it
ALTER TABLE audit ADD COLUMN new TEXT;       -- what is in force since
