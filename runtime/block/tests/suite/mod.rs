//! One module per question.

mod crashes;
mod damage;
mod header;
mod recorded;
mod removal;
mod replication;
mod schedules;
mod ship;
mod transfer;
mod view;
mod watch;
mod world;
