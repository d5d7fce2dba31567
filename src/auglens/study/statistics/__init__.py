"""Statistics on plain arrays: numbers in, numbers out. Knows no runs, files or figures."""
