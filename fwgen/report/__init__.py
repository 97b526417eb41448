"""Results for people and for programs: the console, the output folder, JSON."""
