"""`python -m mt` is `seq2serve`, for programs that start it by their own interpreter."""

from mt.cli import main

if __name__ == "__main__":
    main()
