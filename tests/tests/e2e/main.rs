//! Judges that share no code with us, over real files and real programs.

mod configurations;
mod determinism;
mod hostile;
mod read_path;
mod readback;
mod reload;
mod schemas;
mod shards;
mod split_blocks;
mod trees;
mod up;
