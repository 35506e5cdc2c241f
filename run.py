"""Train a recurrent language model, or with -m a study of many.

python run.py sampler=random lr=1
python run.py --help
"""

from rnnlab.cli.train import main

if __name__ == "__main__":
    main()
