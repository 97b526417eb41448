"""The command line: arguments, printing, exit codes. One file per command."""
