# One image for every role: the command says which. Build it from the top of the tree:
#   docker build -f docker/node.Dockerfile -t troupe .
FROM debian:12 AS build
WORKDIR /troupe
# The packages come first: they change more rarely than the sources.
COPY launcher/setup launcher/setup
RUN launcher/setup && rm -rf /var/lib/apt/lists/*
COPY . .
ARG JOBS=2
RUN cmake --preset release -DTROUPE_TESTS=OFF -DTROUPE_BENCHMARKS=OFF \
 && cmake --build --preset release --parallel "$JOBS" --target troupe \
 && build/release/bin/troupe archive /troupe.tar.gz \
 && mkdir /opt/troupe && tar -xzf /troupe.tar.gz -C /opt/troupe

# No compiler, and no package: the bundle has what the binaries load.
FROM debian:12
COPY --from=build /opt/troupe /opt/troupe
RUN useradd --system --create-home --home-dir /var/lib/troupe troupe \
 && install -d -m 700 -o troupe -g troupe /var/lib/troupe/cluster
ENV PATH=/opt/troupe/bin:$PATH TROUPE_DIR=/var/lib/troupe/cluster OMP_WAIT_POLICY=passive
USER troupe
WORKDIR /var/lib/troupe
VOLUME /var/lib/troupe
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/troupe/bin/troupe"]
CMD ["--help"]
