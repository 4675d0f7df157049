mod acceptance;
mod bucket;
mod merge;
mod prometheus;
mod proxy;
mod served;
