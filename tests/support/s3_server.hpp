// A real S3 server on this machine, for tests: s3_server.py as a process. It ends with the object,
// and with the thread that started it.
#pragma once

#include "runtime/base/result.hpp"

#include <sys/types.h>

#include <string>

namespace troupe::testing {

class s3_server {
public:
  static constexpr auto key_id = "troupe:tester";
  static constexpr auto secret = "testing";
  static constexpr auto region = "us-east-1";

  // Why there can be none with its data in this directory; empty where there can.
  static std::string missing(const std::string& directory);

  // `directory` exists.
  explicit s3_server(std::string directory) : directory_(std::move(directory)) {}
  ~s3_server() { kill(); }

  s3_server(const s3_server&) = delete;
  s3_server& operator=(const s3_server&) = delete;

  // Waits until it answers, at new ports. Again after kill(): with the data that it had.
  result<void> start();

  // As when the machine loses its power, but for what the kernel holds.
  void kill();

  int port() const noexcept { return port_; }
  int tls_port() const noexcept { return tls_port_; }

  // The certificate of its TLS, for localhost and troupe.localhost.
  std::string ca_file() const { return directory_ + "/ca.pem"; }

private:
  std::string directory_;
  pid_t process_ = 0;
  int port_ = 0;
  int tls_port_ = 0;
};

} // namespace troupe::testing
