"""The study of docs/study.md: what a corpus of real posts says about the claims of arXiv 2407.07925."""
