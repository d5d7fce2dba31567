"""Statistics of comparison groups: from runs and measured maps to tables. Draws and judges nothing."""
