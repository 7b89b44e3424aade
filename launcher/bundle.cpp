#include "launcher/bundle.hpp"

#include "launcher/commands.hpp"
#include "launcher/run_command.hpp"
#include "storage/hash.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

// The C library's own: they fit the machine's loader and kernel only.
bool is_of_libc(const std::string& name) {
  static const std::set<std::string> stems{"libc",      "libm",    "libdl",  "libpthread", "librt",
                                           "libresolv", "libutil", "libanl", "libnsl"};
  return name.starts_with("ld-linux") || stems.contains(name.substr(0, name.find('.')));
}

// What `ldd` says of a program: "name => path (address)".
result<std::set<std::string>> libraries_of(const std::string& program) {
  auto shown = run_command({"ldd", program});
  if (!shown)
    return shown.error();
  if (shown->code != 0)
    return {errc::io, "cannot tell which libraries " + program
                        + " needs: " + one_line(shown->out + shown->err)};
  std::set<std::string> found;
  std::istringstream lines{shown->out};
  for (std::string line; std::getline(lines, line);) {
    auto arrow = line.find(" => ");
    auto path = arrow == std::string::npos ? std::string{} : line.substr(arrow + 4);
    path.resize(std::min(path.find(" ("), path.size()));
    if (path.starts_with("/") && !is_of_libc(fs::path{path}.filename()))
      found.insert(path);
  }
  return found;
}

class staging {
public:
  staging() : path((fs::temp_directory_path() / "troupe-bundle-XXXXXX").string()) {
    made = ::mkdtemp(path.data()) != nullptr;
  }
  staging(const staging&) = delete;
  staging& operator=(const staging&) = delete;
  ~staging() {
    std::error_code ignored;
    if (made)
      fs::remove_all(path, ignored);
  }

  std::string path;
  bool made = false;
};

} // namespace

result<bundle> make_bundle(const std::string& program) {
  staging at;
  std::error_code failed;
  auto copy = [&](const std::string& file, const std::string& below) {
    auto to = fs::path{at.path} / below;
    if (at.made && !failed)
      fs::create_directories(to, failed);
    if (at.made && !failed)
      fs::copy_file(file, to / fs::path{file}.filename(), failed);
  };
  std::set<std::string> libraries;
  for (auto* name :
       {"troupe", "troupe-bundles", "troupe-server", "troupe-executor", "troupe-rsh"}) {
    auto binary = (fs::path{program}.parent_path() / name).string();
    auto needed = libraries_of(binary);
    if (!needed)
      return needed.error();
    libraries.insert(needed->begin(), needed->end());
    copy(binary, "bin");
  }
  for (auto& each : libraries)
    copy(each, "lib");
  if (!at.made || failed)
    return {errc::io, "cannot copy the node's binaries to " + at.path + ": " + failed.message()};
  // The same files make the same archive.
  auto archived
    = run_command({"tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner",
                   "-C", at.path, "-cf", "-", "--use-compress-program=gzip -1n", "bin", "lib"});
  if (!archived)
    return archived.error();
  if (archived->code != 0)
    return {errc::io, "cannot archive the node's binaries: " + one_line(archived->err)};
  constexpr size_t digits = 16;
  return bundle{storage::sha256(archived->out).substr(0, digits), std::move(archived->out)};
}

int write_bundle(const shared_options& shared, const std::string& file) {
  auto made = make_bundle(shared.program);
  if (!made)
    return complain(made.error());
  std::ofstream out{file, std::ios::binary};
  if (!(out << made->archive).flush())
    return complain({errc::invalid, "cannot write " + file + "; choose another file"});
  return 0;
}

} // namespace troupe::launcher
