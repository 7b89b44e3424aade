# One image for every role: the command says which. Build it from the top of the tree:
#   docker build -f docker/node.Dockerfile -t troupe .
FROM debian:12

WORKDIR /opt/troupe
# The packages come first: they change more rarely than the sources.
COPY launcher/setup launcher/setup
RUN launcher/setup && rm -rf /var/lib/apt/lists/*

COPY . .
RUN cmake --preset release -DTROUPE_TESTS=OFF -DTROUPE_BENCHMARKS=OFF \
 && cmake --build --preset release \
 && useradd --system --create-home --home-dir /var/lib/troupe troupe \
 && install -d -m 700 -o troupe -g troupe /var/lib/troupe/cluster

USER troupe
WORKDIR /var/lib/troupe
ENV OMP_WAIT_POLICY=passive
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/troupe/build/release/bin/troupe"]
CMD ["node", "--help"]
