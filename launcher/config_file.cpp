#include "launcher/config_file.hpp"

#include <yaml-cpp/yaml.h>

namespace troupe::launcher {

namespace {

class yaml_file final : public CLI::Config {
public:
  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }

  std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
    std::vector<CLI::ConfigItem> found;
    try {
      read(YAML::Load(in), {}, found);
    } catch (const YAML::Exception& e) {
      throw CLI::ConfigError(std::string{"the config file is no YAML: "} + e.what());
    }
    return found;
  }

private:
  static void read(const YAML::Node& from, const std::vector<std::string>& parents,
                   std::vector<CLI::ConfigItem>& found) {
    if (from.IsNull())
      return;
    if (!from.IsMap())
      throw CLI::ConfigError(
        "the config file holds no options; write `up:` and below it `nodes: 3`");
    for (auto& each : from) {
      auto name = each.first.as<std::string>();
      if (each.second.IsMap()) {
        auto below = parents;
        below.push_back(name);
        read(each.second, below, found);
      } else {
        found.push_back({parents, name, values_of(each.second, name)});
      }
    }
  }

  static std::vector<std::string> values_of(const YAML::Node& from, const std::string& name) {
    if (from.IsScalar())
      return {from.Scalar()};
    std::vector<std::string> values;
    for (auto& each : from) {
      if (!each.IsScalar())
        throw CLI::ConfigError("'" + name
                               + "' in the config file is no value; write one, or a list");
      values.push_back(each.Scalar());
    }
    return values;
  }
};

} // namespace

std::shared_ptr<CLI::Config> yaml_config() {
  return std::make_shared<yaml_file>();
}

} // namespace troupe::launcher
