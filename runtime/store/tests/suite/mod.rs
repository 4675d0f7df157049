mod bucket;
mod prometheus;
