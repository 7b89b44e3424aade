#include "runtime/bulk.hpp"

#include "runtime/local_socket.hpp"
#include "runtime/tcp_socket.hpp"

namespace troupe {

namespace {

constexpr std::string_view tls_scheme = "tls:";

result<std::unique_ptr<bulk_channel>> dial_local(const bulk_ticket& ticket, time_point until) {
  auto fd = connect_local(ticket.endpoint);
  if (!fd)
    return fd.error();
  auto socket = std::make_shared<bulk_socket>(*fd);
  if (auto owner = principal_of(*fd); !owner)
    return owner.error();
  auto channel = std::make_unique<bulk_channel>(std::move(socket));
  bulk_hello hello;
  hello.id = ticket.id;
  hello.secret = ticket.secret;
  TROUPE_TRY(channel->write(std::as_bytes(std::span{&hello, 1}), until));
  return channel;
}

result<std::unique_ptr<bulk_channel>> dial(const bulk_ticket& ticket, const bulk_options& options) {
  auto until = system_clock{}.now() + options.chunk_deadline;
  if (!ticket.endpoint.starts_with(tls_scheme))
    return dial_local(ticket, until);
  auto fd = connect_tcp(ticket.endpoint.substr(tls_scheme.size()), until);
  if (!fd)
    return fd.error();
  return tls_connect(std::make_shared<bulk_socket>(*fd), ticket.id, ticket.secret, until);
}

} // namespace

result<void> fetch(const bulk_ticket& ticket, bulk_sink& into, const bulk_options& options) {
  auto channel = dial(ticket, options);
  if (!channel)
    return channel.error();
  return bulk_receive(**channel, into, ticket.size, options);
}

result<void> push(const bulk_ticket& ticket, bulk_source& from, const bulk_options& options) {
  if (from.size() != ticket.size)
    return {errc::invalid, "the ticket is for " + std::to_string(ticket.size)
                             + " bytes and the content has " + std::to_string(from.size())
                             + "; ask for a ticket of its size"};
  auto channel = dial(ticket, options);
  if (!channel)
    return channel.error();
  return bulk_send(**channel, from, options);
}

} // namespace troupe
