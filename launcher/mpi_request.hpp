// What one task of an MPI gang sends to another, to run a command there: mpi_slot.hpp has the form.
// Plain functions of text.
#pragma once

#include "runtime/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace troupe::launcher {

inline constexpr size_t mpi_command_max = 1 << 20; // bytes

// Where a host of the gang listens, HOST:PORT, by what TROUPE_MPI_PEERS holds; the first, if the
// name is empty. errc::not_found.
result<std::string> mpi_peer(std::string_view peers, std::string_view host);

std::string mpi_request(std::string_view secret, std::string_view command);

// The command, when all of the request is here; nothing before. errc::refused: it is none, which is
// known before all of it is here, so that nobody without the secret is heard longer.
result<std::optional<std::string>> read_mpi_request(std::string_view request,
                                                    std::string_view secret);

} // namespace troupe::launcher
