// Fortress has its headers under Ignition's name; the crate asks for them under Gazebo's.
#include <ignition/transport/Node.hh>
namespace gz = ignition;
