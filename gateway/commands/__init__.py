"""The subcommands of `vaka`, one module each; errors of the user become one line and exit code 2."""
