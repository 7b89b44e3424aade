// A bulk ticket as a control message carries it, and back.
#pragma once

#include "runtime/bulk.hpp"
#include "runtime/protocol/messages.hpp"

namespace troupe {

bulk_access_msg access_of(const bulk_ticket& ticket);

// errc::invalid if the message holds no ticket.
result<bulk_ticket> ticket_of(const bulk_access_msg& access);

} // namespace troupe
