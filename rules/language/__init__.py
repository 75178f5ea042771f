"""The language of rules: one TOML file a rule, a closed temporal vocabulary, CEL as the stateless guard."""
