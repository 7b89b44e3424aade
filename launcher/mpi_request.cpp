#include "launcher/mpi_request.hpp"

#include "runtime/base/secret.hpp"

#include <algorithm>
#include <cstdint>

namespace troupe::launcher {
namespace {

constexpr size_t size_bytes = 4; // of the command's size

} // namespace

result<std::string> mpi_peer(std::string_view peers, std::string_view host) {
  for (size_t begin = 0; begin < peers.size();) {
    auto end = std::min(peers.find(',', begin), peers.size());
    auto entry = peers.substr(begin, end - begin);
    auto equals = entry.find('=');
    begin = end + 1;
    if (equals != std::string_view::npos && (host.empty() || entry.substr(0, equals) == host))
      return std::string{entry.substr(equals + 1)};
  }
  return {errc::not_found, std::string{"'"}.append(printable(host))
                             + "' is no task of this gang; its hosts are in the file that "
                               "TROUPE_HOSTFILE names"};
}

std::string mpi_request(std::string_view secret, std::string_view command) {
  std::string out{secret};
  out.push_back('\n');
  for (size_t i = 0; i < size_bytes; ++i)
    out.push_back(static_cast<char>(command.size() >> (8 * i) & 0xff));
  return out.append(command);
}

result<std::optional<std::string>> read_mpi_request(std::string_view request,
                                                    std::string_view secret) {
  auto head = secret.size() + 1;
  if (request.size() < head)
    return std::optional<std::string>{};
  if (request[secret.size()] != '\n' || !same_secret(request.substr(0, secret.size()), secret))
    return error{errc::refused, "it does not know the gang's secret"};
  if (request.size() < head + size_bytes)
    return std::optional<std::string>{};
  uint32_t size = 0;
  for (size_t i = 0; i < size_bytes; ++i)
    size |= static_cast<uint32_t>(static_cast<uint8_t>(request[head + i])) << (8 * i);
  auto command = request.substr(head + size_bytes);
  if (size == 0 || size > mpi_command_max || command.size() > size)
    return error{errc::refused, "its command has no size that may be"};
  return command.size() == size ? std::optional{std::string{command}} : std::nullopt;
}

} // namespace troupe::launcher
