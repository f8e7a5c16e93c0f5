"""Other programs that do the gateway's job, to be measured beside it: installed apart from the project, and started."""
