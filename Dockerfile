# The compiler and the runtime, each in an image of its own:
#   docker build --target pronoia -t pronoia .
#   docker build --target pronoiad -t pronoiad .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package compiler --package runtime

FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
# The user that images of Thanos have run as since 0.32: volumes can change hands in both directions.
USER 1001:1001

FROM base AS pronoia
COPY --from=build /src/target/release/pronoia /usr/local/bin/pronoia
WORKDIR /topology
ENTRYPOINT ["pronoia"]
CMD ["--help"]

FROM base AS pronoiad
COPY --from=build /src/target/release/pronoiad /usr/local/bin/pronoiad
# Each component under its own name, for who replaces one image at a time.
USER root
RUN for name in sidecar querier query-frontend store compactor receiver ruler reloader; do \
        ln -s pronoiad "/usr/local/bin/pronoia-$name"; done
USER 1001:1001
ENTRYPOINT ["pronoiad"]
CMD ["--help"]
