-- What scores ask of events: how often a case was returned by a verifier, and whether a re-check failed. A small index
-- of those few events alone, so that a whole county is counted without reading the chain.
CREATE INDEX events_of_failures ON events (county, subject, kind, seq) WHERE kind IN ('issue.return', 'issue.reopen');
