#include "launcher/http_log.hpp"

#include "actors/jobs/gang.hpp"
#include "launcher/http_answers.hpp"
#include "launcher/line_splitter.hpp"

namespace troupe::launcher {

namespace {

constexpr auto look_again = std::chrono::milliseconds(300);

// How many bytes at the end of the text are the beginning of a character of UTF-8.
size_t cut_character(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80)
      continue;
    auto length = byte >= 0xf0 ? 4u : byte >= 0xe0 ? 3u : byte >= 0xc0 ? 2u : 1u;
    return length > back ? back : 0;
  }
  return 0;
}

template <class Ask>
auto ask(client_pool& clients, Ask question) -> decltype(question(std::declval<client&>())) {
  auto cluster = clients.borrow();
  if (!cluster)
    return cluster.error();
  return question(**cluster);
}

// Whether the attempt prints no more.
result<bool> has_ended(client_pool& clients, const read_log_msg& log) {
  auto now = ask(clients, [&](client& c) { return c.status(log.job); });
  if (!now)
    return now.error();
  return troupe::has_ended(now->state) || now->attempt != log.attempt;
}

// Writes what is taken of a log.
class log_sender {
public:
  log_sender(http_exchange& to, const std::string& text) : to_(to), text_(text) {}

  // False: nobody listens any more.
  bool send(std::string_view piece) {
    if (text_.empty())
      return to_.piece(piece);
    lines_.feed(piece, [this](std::string line) { keep(std::move(line)); });
    return flush();
  }

  bool finish() {
    lines_.finish([this](std::string line) { keep(std::move(line)); });
    return flush();
  }

private:
  void keep(std::string line) {
    if (line.find(text_) != std::string::npos)
      wanted_.append(line).append(1, '\n');
  }

  bool flush() { return to_.piece(std::exchange(wanted_, {})); }

  http_exchange& to_;
  const std::string& text_;
  line_splitter lines_;
  std::string wanted_;
};

} // namespace

result<log_chunk_msg> log_piece(client& cluster, const read_log_msg& request, uint64_t limit) {
  auto piece = cluster.log(request);
  if (!piece)
    return piece.error();
  if (piece->text.size() > limit) {
    piece->text.erase(limit);
    piece->end = false;
  }
  auto cut = cut_character(piece->text);
  if (cut < piece->text.size()) // else the whole piece is none
    piece->text.erase(piece->text.size() - cut);
  return piece;
}

void send_log(client_pool& clients, read_log_msg request, const std::string& text, bool follow,
              http_exchange& to) {
  auto next = [&] { return ask(clients, [&](client& c) { return c.log(request); }); };
  auto piece = next();
  if (!piece)
    return answer_error(to, piece.error());
  request.attempt = piece->attempt;
  if (!to.begin(200, {{"content-type", "text/plain; charset=utf-8"},
                      {"cache-control", "no-store"},
                      {"x-content-type-options", "nosniff"}}))
    return;
  log_sender sender{to, text};
  bool last = !follow; // look, then read: what was printed before the end is not missed
  for (;;) {
    for (; piece && !piece->text.empty(); piece = next()) {
      if (!sender.send(piece->text))
        return;
      request.offset += piece->text.size();
    }
    if (!piece || last)
      break;
    auto ended = has_ended(clients, request);
    if (!ended)
      break;
    last = *ended;
    if (!last && to.is_left(look_again))
      return;
    piece = next();
  }
  if (sender.finish() && piece)
    to.finish();
}

} // namespace troupe::launcher
