"""Release, collection and grading of homeworks, for instructors. Learners do not need this package."""
