"""What a study is, how a pair is evaluated, and what came of it: the library every room may import."""
