#pragma once

namespace gestalt::tools {

// Makes OpenMP's threads wait asleep after a short spin. GNU's runtime lets them spin for
// milliseconds, which costs nothing on an idle machine but takes the cores from everyone on a busy
// one, this process included. It reads its settings before main, so the process starts itself once
// more with GOMP_SPINCOUNT set; where that fails it goes on as it is. Whoever sets GOMP_SPINCOUNT
// or OMP_WAIT_POLICY is left alone. Call before there are threads.
void limit_spinning(char** argv);

}  // namespace gestalt::tools
