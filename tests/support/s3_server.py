#!/usr/bin/python3
"""A real S3 server on this machine, for tests: OpenStack Swift with its S3 door, in one process.

    s3_server.py DIRECTORY PORT

It keeps its data in DIRECTORY, whose file system has extended attributes, listens on 127.0.0.1
(PORT; 0 takes a free one; and a free one for TLS, with a certificate for localhost that it makes
as DIRECTORY/ca.pem) and prints "ready PORT TLS-PORT". The account, container and object servers
take free ports beside them. Key, secret: troupe:tester, testing (who may all) and troupe:guest,
visiting (who may nothing); region us-east-1; hosts BUCKET.localhost name buckets too. It ends with
the process that started it. Needs Debian's python3-swift alone.
"""
import ctypes
import datetime
import os
import signal
import sys
from time import monotonic as now

try:
    import eventlet
    from eventlet import wsgi

    eventlet.monkey_patch()
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from swift.common import utils, wsgi as swift_wsgi
    from swift.common.ring import RingBuilder
except ImportError as missing:
    sys.exit(f"missing: {missing} (Debian's package python3-swift)")

PROXY = """
[DEFAULT]
swift_dir = {directory}
log_level = ERROR
[pipeline:main]
pipeline = catch_errors s3api tempauth slo proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
storage_domain = localhost
[filter:tempauth]
use = egg:swift#tempauth
user_troupe_tester = testing .admin
user_troupe_guest = visiting
[filter:slo]
use = egg:swift#slo
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""

STORAGE = """
[DEFAULT]
swift_dir = {directory}
devices = {directory}
mount_check = false
log_level = ERROR
[pipeline:main]
pipeline = {name}
[app:{name}]
use = egg:swift#{name}
"""


class Cache:
    """In place of memcached, without which the accounts' door does not open."""

    def __init__(self):
        self.kept = {}

    def get(self, key, **_options):
        value, end = self.kept.get(key, (None, 0))
        return value if now() < end else None

    def set(self, key, value, time=0, **_options):
        self.kept[key] = value, now() + (time or 60)

    def delete(self, key, **_options):
        self.kept.pop(key, None)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def make_certificate(directory):
    """Of localhost and what is below it; it vouches for itself, for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    day = datetime.timedelta(days=1)
    today = datetime.datetime.utcnow()
    names = [x509.DNSName("localhost"), x509.DNSName("troupe.localhost")]
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                   .public_key(key.public_key()).serial_number(1)
                   .not_valid_before(today - day).not_valid_after(today + day)
                   .add_extension(x509.SubjectAlternativeName(names), critical=False)
                   .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                   .sign(key, hashes.SHA256()))
    write(f"{directory}/ca.pem", certificate.public_bytes(serialization.Encoding.PEM).decode())
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                               serialization.NoEncryption())
    write(f"{directory}/key.pem", secret.decode())


def make_ring(directory, name, port):
    """One device holds everything: one replica of eight partitions."""
    builder = RingBuilder(3, 1, 0)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "disk", "meta": "",
                     "ip": "127.0.0.1", "port": port,
                     "replication_ip": "127.0.0.1", "replication_port": port})
    builder.rebalance(seed="1")
    builder.get_ring().save(f"{directory}/{name}.ring.gz")


def serve(directory, name, text, listener):
    cache = Cache()
    path = f"{directory}/{name}.conf"
    write(path, text.format(directory=directory, name=name))
    app = swift_wsgi.loadapp(path, global_conf={"log_name": name})

    def with_cache(env, start_response):
        env["swift.cache"] = cache
        return app(env, start_response)

    eventlet.spawn(wsgi.server, listener, with_cache, utils.NullLogger(),
                   capitalize_response_headers=False, protocol=swift_wsgi.SwiftHttpProtocol,
                   socket_timeout=60)


def main():
    starter = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != starter:
        sys.exit("what started it has ended")
    directory, port = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    os.makedirs(f"{directory}/disk", exist_ok=True)
    write(f"{directory}/swift.conf", "[swift-hash]\nswift_hash_path_suffix = test\n")
    utils.SWIFT_CONF_FILE = f"{directory}/swift.conf"
    utils.validate_hash_conf()
    door = eventlet.listen(("127.0.0.1", port))
    for name in ("account", "container", "object"):
        listener = eventlet.listen(("127.0.0.1", 0))
        make_ring(directory, name, listener.getsockname()[1])
        serve(directory, name, STORAGE, listener)
    serve(directory, "proxy", PROXY, door)
    make_certificate(directory)
    behind_tls = eventlet.wrap_ssl(eventlet.listen(("127.0.0.1", 0)), server_side=True,
                                   certfile=f"{directory}/ca.pem", keyfile=f"{directory}/key.pem")
    serve(directory, "proxy", PROXY, behind_tls)
    print("ready", door.getsockname()[1], behind_tls.getsockname()[1], flush=True)
    while True:
        eventlet.sleep(3600)


main()
