#pragma once

// Functions of an element and its channel, over rows and images.
//
// map.at(channel) is a function from an element to an element. Its lanes<count>(from) is the same
// for elements of that channel side by side, map.lanes<count>(from, channel) for as many channels
// of a pixel, both as lanes.h stores them.

#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/rectify.h"
#include "kernels/parallel.h"
#include "kernels/types.h"

namespace gestalt::cpu {

template <class T>
struct Identity {
  const Identity& at(int64_t) const { return *this; }
  T operator()(T x) const { return x; }
  template <int count>
  Lanes<Stored<T>, count> lanes(const T* from, int64_t = 0) const {
    Lanes<Stored<T>, count> values;
    std::memcpy(&values, from, sizeof(values));
    return values;
  }
};

// relu(map(x)); each step is rounded to T, as separate ops do.
template <class T, class Map>
struct Rectified {
  using OfChannel = std::remove_cvref_t<decltype(std::declval<Map>().at(0))>;

  struct Channel {
    OfChannel map;
    T operator()(T x) const { return rectified(map(x)); }
    template <int count>
    auto lanes(const T* from) const {
      return rectified_lanes<T>(map.template lanes<count>(from));
    }
  };
  Channel at(int64_t channel) const { return {map.at(channel)}; }
  template <int count>
  auto lanes(const T* from, int64_t channel) const {
    return rectified_lanes<T>(map.template lanes<count>(from, channel));
  }

  const Map& map;
};

// to[i] = map(from[i]), of one channel; from may be to.
template <class T, class ChannelMap>
void map_row(const ChannelMap& map, const T* from, int64_t count, T* to) {
  for_lanes<T>(count, [&]<int lanes>(LaneCount<lanes>, int64_t i) {
    store_lanes<lanes>(map.template lanes<lanes>(from + i), to + i);
  });
}

// map at the channels of a pixel from `first` on.
template <class Map>
struct OfPixel {
  const Map& map;
  int64_t first;
  template <int count, class T>
  auto lanes(const T* from) const {
    return map.template lanes<count>(from, first);
  }
};

// f(LaneCount, map of the channels there, offset) for all elements of x, dense [N,C,H,W].
template <class T, class Map, class F>
void for_image_lanes(const View& x, const Map& map, const F& f) {
  const int64_t channels = x.shape[1], pixels = x.shape[2] * x.shape[3];
  if (x.is_contiguous()) {
    parallel_for(x.shape[0] * channels, 1 + 16384 / pixels, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const auto of_row = map.at(r % channels);
        for_lanes<T>(pixels, [&](auto count, int64_t i) { f(count, of_row, r * pixels + i); });
      }
    });
  } else {
    parallel_for(x.shape[0] * pixels, 1 + 16384 / channels, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        for_lanes<T>(channels, [&](auto count, int64_t c) {
          f(count, OfPixel<Map>{map, c}, p * channels + c);
        });
      }
    });
  }
}

// y = map(x), dense [N,C,H,W] of the same format; y may be x.
template <class T, class Map>
void map_image(const View& x, const View& y, const Map& map) {
  const T* in = x.as<T>();
  T* out = y.as<T>();
  for_image_lanes<T>(x, map, [=]<int lanes>(LaneCount<lanes>, const auto& of, int64_t offset) {
    store_lanes<lanes>(of.template lanes<lanes>(in + offset), out + offset);
  });
}

}  // namespace gestalt::cpu
