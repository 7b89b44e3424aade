#include "runtime/zap.hpp"

#include "runtime/base/log.hpp"
#include "runtime/keys.hpp"

#include <sys/stat.h>

#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

zap_handler::zap_handler(zeromq::socket socket, std::string directory)
  : socket_(std::move(socket)), directory_(std::move(directory)) {
  reload();
}

result<zap_handler> zap_handler::open(zeromq::context& context, std::string directory) {
  auto opened = zeromq::make_zap(context);
  if (!opened)
    return opened.error();
  return zap_handler{std::move(*opened), std::move(directory)};
}

void zap_handler::reload() {
  struct stat facts {};
  if (::stat((directory_ + "/keys/authorized").c_str(), &facts) == 0)
    changed_ = facts.st_mtim;
  if (auto names = load_authorized(directory_); names)
    names_ = std::move(*names);
  else {
    names_.clear();
    log::warning("nobody is let in", {{"reason", names.error().text}});
  }
}

std::string zap_handler::name_of_key(const std::string& public_key) {
  struct stat facts {};
  bool same = ::stat((directory_ + "/keys/authorized").c_str(), &facts) == 0
              && facts.st_mtim.tv_sec == changed_.tv_sec
              && facts.st_mtim.tv_nsec == changed_.tv_nsec;
  if (!same || !names_.contains(public_key))
    reload();
  auto found = names_.find(public_key);
  return found == names_.end() ? std::string{} : found->second;
}

// Request: version, id, domain, address, identity, mechanism, credentials.
// Reply:   version, id, status, text, user, metadata.
void zap_handler::serve() {
  std::vector<std::string> parts;
  while (socket_.receive_all(parts)) {
    if (parts.size() < 2)
      continue;
    std::string name;
    if (parts[0] == "1.0" && parts.size() == 7 && parts[5] == "CURVE" && parts[6].size() == 32)
      name = name_of_key(zeromq::to_text(parts[6]));
    if (name.empty())
      log::warning("a key that is not in the list was refused",
                   {{"from", parts.size() > 3 ? parts[3] : std::string{}}});
    socket_.send_all({"1.0", parts[1], name.empty() ? "400" : "200",
                      name.empty() ? "the key is not in the list" : "OK", name, ""});
  }
}

} // namespace troupe
