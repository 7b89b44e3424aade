#include "actors/packages/package_ticket.hpp"

#include <algorithm>

namespace troupe {

bulk_access_msg access_of(const bulk_ticket& ticket) {
  bulk_access_msg out;
  out.id = ticket.id;
  out.secret.assign(ticket.secret.begin(), ticket.secret.end());
  out.endpoint = ticket.endpoint;
  out.size = ticket.size;
  return out;
}

result<bulk_ticket> ticket_of(const bulk_access_msg& access) {
  bulk_ticket out;
  if (access.secret.size() != out.secret.size())
    return {errc::invalid, "the other side sent a ticket without a secret; update it"};
  out.id = access.id;
  std::copy(access.secret.begin(), access.secret.end(), out.secret.begin());
  out.endpoint = access.endpoint;
  out.size = access.size;
  return out;
}

} // namespace troupe
