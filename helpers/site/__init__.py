"""The static site: every lesson as a page whose figures and quizzes work without a kernel (``make site``)."""
