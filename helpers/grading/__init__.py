"""For instructors: release a homework, collect and grade what comes back. Learners do not need it."""
