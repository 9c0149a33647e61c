-- What an alert says besides: NULL where it is nothing, so that the hashes of the alerts that were chained before still hold.

ALTER TABLE alerts ADD COLUMN alert_group TEXT;      -- AlertEvent.group, which is a word of SQL
ALTER TABLE alerts ADD COLUMN why TEXT;
ALTER TABLE alerts ADD COLUMN actor TEXT;
ALTER TABLE alerts ADD COLUMN session TEXT;

-- What stands is found in this alone: the last row of each rule, and how far back its last end is.
CREATE INDEX alerts_by_rule ON alerts (bed, rule, id, state);
