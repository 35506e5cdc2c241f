"""Where the tokens come from: text -> vocabulary -> tokens. Knows no network."""
