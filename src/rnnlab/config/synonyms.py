"""What other programs call it: their words for our knobs and choices."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

OTHERS = {
    "lr": "learning_rate learningrate learn_rate eta step_size base_lr initial_lr",
    "theta": "clip_norm grad_clip gradient_clip gradient_clip_val clip_grad clip_grad_norm "
    "max_norm max_grad_norm grad_norm clip_value clipping clipping_theta clip_threshold",
    "num_hiddens": "hidden_size hidden_dim hidden hiddens num_hidden n_hidden nhid hidden_units "
    "rnn_size units num_units n_units d_model state_size hidden_dims",
    "num_layers": "layers nlayers n_layers num_layer n_layer depth",
    "batch_size": "bs batch batchsize minibatch minibatch_size train_batch_size",
    "num_steps": "seq_len seq_length seqlen sequence_length bptt bptt_len block_size context "
    "context_length context_size unroll time_steps timesteps n_steps window window_size",
    "num_epochs": "epochs epoch max_epochs n_epochs nepochs num_epoch num_train_epochs",
    "seed": "random_seed manual_seed random_state rng_seed seed_everything",
    "device": "gpu gpus cuda cpu accelerator use_cuda use_gpu no_cuda devices",
    "engine": "backend implementation",
    "precision": "dtype amp fp16 bf16 fp32 fp64 half mixed_precision",
    "max_minibatches": "max_steps max_iters max_batches limit_train_batches steps_per_epoch",
    "debug": "fast_dev_run overfit overfit_batches",
    "dataset": "data corpus data_set dataset_name",
    "dataset.path": "file filename input input_file path text text_file train_file data_path "
    "data_dir data_file corpus_path",
    "dataset.token": "tokens tokenizer level token_level",
    "dataset.clean": "lower lowercase lower_case cleaning preprocess",
    "dataset.prefixes": "prefix prompt prompts prime prime_text start_text",
    "dataset.val_fraction": "val validation val_frac val_split val_size validation_split "
    "test_size valid_fraction",
    "dataset.min_freq": "min_count min_frequency",
    "sampler": "sampling shuffle use_random_iter iterator",
    "model": "rnn arch architecture cell cell_type rnn_type network net model_type unit",
    "model.dropout": "drop dropout_rate drop_rate drop_prob p_dropout keep_prob",
    "model.init_std": "init_scale init_sigma weight_scale std sigma",
    "model.init": "initializer initialization weight_init recurrent_initializer",
    "model.forget_bias": "unit_forget_bias",
    "model.activation": "nonlinearity nonlin act",
    "optimizer": "optim opt optimiser solver updater trainer update_rule",
    "optimizer.weight_decay": "wd l2 decay weightdecay",
    "optimizer.momentum": "mu",
    "optimizer.beta1": "betas beta b1",
    "optimizer.beta2": "b2",
    "optimizer.eps": "epsilon",
    "log.every": "log_interval log_every log_every_n_steps print_every log_freq",
    "log.val_every": "eval_every eval_interval eval_freq val_interval check_val_every_n_epoch",
    "log.sample_every": "sample_interval predict_every",
    "log.sample_length": "sample_len num_preds",
    "instruments": "diagnostics watch probes inspect",
    "log.inspect_every": "inspect_interval watch_every",
    "schedule": "scheduler lr_scheduler lr_schedule lr_policy lr_decay annealing",
    "schedule.warmup": "warm_up warmup_epochs warmup_steps num_warmup_steps",
    "schedule.factor": "gamma decay_rate decay_factor",
    "schedule.every": "decay_every",
    "stop.patience": "early_stopping early_stop early_stopping_patience es_patience",
    "stop.min_delta": "early_stopping_threshold tolerance tol",
    "stop.below": "target_perplexity",
    "checkpoint.every": "save_every save_interval save_freq save_every_n_epochs",
    "hydra.run.dir": "out output out_dir outdir output_dir log_dir logdir save_dir exp_dir "
    "experiment_dir run_dir save",
    "hydra.launcher.workers": "workers num_workers n_jobs jobs processes num_processes",
    "size": "model_size",
    "experiment": "exp config preset recipe",
}
MEANT = {word: name for name, words in OTHERS.items() for word in words.split()}


def meant(given: str, known: Sequence[str]) -> str | None:
    """The name that this one surely stands for: optimizer.lr, --learning-rate, hidden_size."""
    word = given.lower().replace("-", "_").rpartition(".")[2]
    by_last_part = {name.rpartition(".")[2]: name for name in reversed(known)}
    return MEANT.get(word) or by_last_part.get(word)  # epochs is num_epochs, not schedule.epochs


def nearest(given: str, known: Sequence[str]) -> list[str]:
    """Up to three known names like this one; a known key's last part may be what was meant."""
    last_parts = {key.rpartition(".")[2]: key for key in known}
    alike = [key for key in known if ("." in key) == ("." in given)]
    close = difflib.get_close_matches(given, alike, n=3, cutoff=0.6)
    close += [last_parts[n] for n in difflib.get_close_matches(given, last_parts, n=3, cutoff=0.75)]
    return list(dict.fromkeys(close))[:3]


def did_you_mean(given: str, known: Sequence[str]) -> str:
    """A question, or nothing where no known name is like this one."""
    close = nearest(given, known)
    if not close:
        return ""
    return f"did you mean {' or '.join(filter(None, [', '.join(close[:-1]), close[-1]]))}?"
