"""Makes preference pairs out of judged traces: right with a tool over wrong without one."""
