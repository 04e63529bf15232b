/* What the Rust side calls of CycloneDDS, with plain C types alone, so that src/ffi.rs can declare it by hand. The reasons are in
   troika_dds.c. */
#ifndef TROIKA_DDS_H
#define TROIKA_DDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes, as a parameter. */
struct tdds_bytes {
  const uint8_t *data;
  size_t len;
};

struct tdds_qos {
  bool reliable;
  bool transient_local;
  int32_t depth;         /* keep last; 0: keep all */
  int64_t deadline_ns;   /* INT64_MAX: none, here and below */
  int64_t lifespan_ns;
  int64_t lease_ns;
  bool manual_by_topic;  /* liveliness */
  bool ignore_own;       /* nothing of the same participant */
  struct tdds_bytes user_data;
};

/* What goes with a message beside its bytes. */
struct tdds_beside {
  bool has_related;
  uint8_t related_guid[16];
  int64_t related_sequence;
  struct tdds_bytes refusal;  /* data null: none */
};

/* A message that was taken. `held` owns the rest. */
struct tdds_sample {
  void *held;
  const uint8_t *data;
  size_t size;
  int64_t source_ns;
  int64_t sequence;
  int64_t newest;  /* the writer's last when this one came, as far as it was known */
  uint8_t writer[16];
  struct tdds_beside beside;
};

/* A participant or an endpoint of discovery. Strings are empty where there is none. */
struct tdds_seen {
  bool alive;
  uint8_t guid[16];
  uint8_t participant[16];
  const char *topic;
  const char *type;
  struct tdds_bytes user_data;
};

enum tdds_builtin { TDDS_PARTICIPANTS, TDDS_WRITERS, TDDS_READERS };

typedef void (*tdds_signal) (void *arg, int32_t entity);
typedef void (*tdds_on_seen) (void *arg, const struct tdds_seen *seen);

const char *tdds_strerror (int32_t code);
int32_t tdds_domain (uint32_t id, const char *config);
int32_t tdds_participant (uint32_t domain, struct tdds_bytes user_data);
int32_t tdds_guid (int32_t entity, uint8_t guid[16]);
int32_t tdds_handle (int32_t entity, uint64_t *handle);
int32_t tdds_delete (int32_t entity);

/* Whom CycloneDDS tells; it must live as long as the reader or writer. Both are called on CycloneDDS's threads, with its locks held: on
   each sample (of a reader), and when who is matched changes. They may call tdds_take and nothing else. */
struct tdds_listening {
  tdds_signal on_data, on_match;
  void *arg;
};

/* A reader or a writer on `topic` whose samples are bytes. */
int32_t tdds_reader (int32_t participant, const char *topic, const char *type, const struct tdds_qos *qos, const struct tdds_listening *to);
int32_t tdds_writer (int32_t participant, const char *topic, const char *type, const struct tdds_qos *qos, const struct tdds_listening *to, const void **sertype);

/* `source_ns`: below 0, it is now. `sequence`: the count of this message on the writer, from 1. */
int32_t tdds_write (int32_t writer, const void *sertype, struct tdds_bytes bytes, int64_t source_ns, int64_t sequence, const struct tdds_beside *beside);
/* 1: a sample was taken; 0: there is none. */
int32_t tdds_take (int32_t reader, struct tdds_sample *sample);
void tdds_release (void *held);

int32_t tdds_discovery (int32_t participant, enum tdds_builtin which, const struct tdds_listening *to);
/* Takes all that is new. */
int32_t tdds_discovered (int32_t reader, enum tdds_builtin which, tdds_on_seen on_seen, void *arg);
/* Who a reader or writer is matched with. */
int32_t tdds_matched (int32_t entity, bool is_reader, tdds_on_seen on_seen, void *arg);
int32_t tdds_assert_liveliness (int32_t writer);

#endif
