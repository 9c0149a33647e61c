"""What raises an alert, what people are told of it, and what they can do.

`conditions` has the words, `rules` a compiled profile. `engine` says when a condition begins and ends (with
`bed_state`, `in_force`, `judge`, `passing` and `quiet`), `signals` makes of that what is told; both are pure. `board`
holds where all beds stand, `actions` are what people ask of it. `profile` and what begins with its name read a site's
YAML; `what_if` and what begins with its name judge recordings, exactly as the engine would, which `replay` shows.
"""
