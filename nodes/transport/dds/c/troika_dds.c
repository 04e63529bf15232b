/* Topics of bytes on CycloneDDS. CycloneDDS wants a type for each topic; like rmw_cyclonedds's serdata.cpp, this file gives it one whose
   sample is the serialised message itself, so that what a message looks like is the caller's business alone.

   A sample also carries what DDS has beside the payload: its writer's GUID and sequence number, and, as parameters of the inline QoS,
   the request that it is an answer to (DDS-RPC 1.0, 7.8.2), why a request was refused, and whether its bytes are no CDR. CycloneDDS
   reads no such parameter and writes none: reading needs no change (the packet is at hand in `from_ser`), writing does: build.rs adds
   a call of `troika_inline_qos` to ddsi_transmit.c. */
#include "troika_dds.h"

#include <string.h>

#include "dds/dds.h"
#include "dds/ddsi/ddsi_domaingv.h"
#include "dds/ddsi/ddsi_entity_index.h"
#include "dds/ddsi/ddsi_keyhash.h"
#include "dds/ddsi/ddsi_protocol.h"
#include "dds/ddsi/ddsi_proxy_endpoint.h"
#include "dds/ddsi/ddsi_radmin.h"
#include "dds/ddsi/ddsi_serdata.h"
#include "dds/ddsi/ddsi_sertype.h"
#include "dds/ddsrt/heap.h"
#include "ddsi__xmsg.h"

/* DDS-RPC's, and the number that Fast DDS used before it was standard and still uses. */
#define PID_RELATED_SAMPLE_IDENTITY 0x0083u
#define PID_FASTDDS_RELATED_SAMPLE_IDENTITY 0x800fu
/* Ours, in the range of vendors; without the flag 0x4000, so who does not know them reads on. */
#define PID_TROIKA_NOT_CDR 0xbe01u
#define PID_TROIKA_REFUSAL 0xbe02u
/* A reason is a sentence; it must leave room in the first fragment. */
#define REFUSAL_MAX 512u

#define ENCAPSULATION 4u  /* bytes of the header before the CDR: representation, options */

struct sertype {
  struct ddsi_sertype c;
};

struct serdata {
  struct ddsi_serdata c;
  uint32_t size;   /* with the encapsulation header and, of one that was written here, with what pads it to 4 */
  uint32_t padding;  /* of one that was written here */
  int64_t sequence;
  int64_t newest;  /* the highest sequence that the writer was known to have when this one came */
  dds_guid_t writer;
  bool not_cdr;    /* the bytes are what follows the encapsulation header */
  bool has_related;
  dds_guid_t related_guid;
  int64_t related_sequence;
  uint32_t refusal_len;
  uint8_t *refusal;
  uint8_t data[];
};

static uint32_t align4 (uint32_t size) { return (size + 3u) & ~3u; }

static const struct ddsi_serdata_ops serdata_ops;

static struct serdata *serdata_new (const struct ddsi_sertype *type, enum ddsi_serdata_kind kind, size_t size)
{
  if (size > UINT32_MAX - 64u)
    return NULL;
  struct serdata *d = ddsrt_malloc_s (sizeof (*d) + align4 ((uint32_t) size) + ENCAPSULATION);
  if (d == NULL)
    return NULL;
  memset (d, 0, sizeof (*d));
  if (type)
    ddsi_serdata_init (&d->c, type, kind);
  else
  {
    /* A sample that CycloneDDS never sees. */
    d->c.ops = &serdata_ops;
    ddsrt_atomic_st32 (&d->c.refc, 1);
  }
  d->size = (uint32_t) size;
  memset (d->data + size, 0, align4 ((uint32_t) size) - size);
  return d;
}

static void serdata_free (struct ddsi_serdata *c)
{
  struct serdata *d = (struct serdata *) c;
  ddsrt_free (d->refusal);
  ddsrt_free (d);
}

static uint32_t serdata_size (const struct ddsi_serdata *c) { return ((const struct serdata *) c)->size; }

/* Plain CDR of either byte order. */
static bool is_cdr (const uint8_t *data, size_t len)
{
  return len >= ENCAPSULATION && data[0] == 0 && data[1] <= 1 && data[2] == 0 && data[3] == 0;
}

/* Values of a parameter list in the byte order of its submessage. */
static uint32_t get2 (const uint8_t *at, bool little)
{
  return little ? at[0] | (uint32_t) at[1] << 8 : at[1] | (uint32_t) at[0] << 8;
}

static uint32_t get4 (const uint8_t *at, bool little)
{
  return little ? get2 (at, true) | get2 (at + 2, true) << 16 : get2 (at + 2, false) | get2 (at, false) << 16;
}

/* The parameters of interest. Lengths are the sender's word: nothing outside [at, end) is read. */
static void read_inline_qos (struct serdata *d, const uint8_t *at, const uint8_t *end, bool little)
{
  while (end - at >= 4)
  {
    const uint32_t pid = get2 (at, little), len = get2 (at + 2, little);
    at += 4;
    if (pid == DDSI_PID_SENTINEL || len > (size_t) (end - at))
      return;
    switch (pid)
    {
      case PID_RELATED_SAMPLE_IDENTITY:
      case PID_FASTDDS_RELATED_SAMPLE_IDENTITY:
        if (len >= 24)
        {
          d->has_related = true;
          memcpy (&d->related_guid, at, 16);
          d->related_sequence = (int64_t) (((uint64_t) get4 (at + 16, little) << 32) | get4 (at + 20, little));
        }
        break;
      case PID_TROIKA_NOT_CDR:
        d->not_cdr = true;
        break;
      case PID_TROIKA_REFUSAL: {
        const uint32_t text = len >= 4 ? get4 (at, little) : UINT32_MAX;
        if (text <= len - 4u && text <= REFUSAL_MAX && d->refusal == NULL && (d->refusal = ddsrt_malloc_s (text + 1u)) != NULL)
        {
          memcpy (d->refusal, at + 4, text);
          d->refusal_len = text;
        }
        break;
      }
    }
    at += len;
  }
}

/* Where it is from: the packet is at hand, its headers in this machine's byte order by now (validate_Data in ddsi_receive.c). */
static void read_origin (struct serdata *d, const struct ddsi_rdata *first)
{
  const uint8_t *packet = DDSI_RMSG_PAYLOADOFF (first->rmsg, 0);
  const ddsi_rtps_header_t *header = (const ddsi_rtps_header_t *) packet;
  const uint32_t submsg = DDSI_RDATA_SUBMSG_OFF (first);
  const ddsi_rtps_data_datafrag_common_t *msg = (const ddsi_rtps_data_datafrag_common_t *) (packet + submsg);
  const ddsi_guid_t guid = { .prefix = header->guid_prefix, .entityid = msg->writerId };
  const ddsi_guid_t wire = ddsi_hton_guid (guid);
  memcpy (&d->writer, &wire, sizeof (d->writer));
  d->sequence = (int64_t) (((uint64_t) (uint32_t) msg->writerSN.high << 32) | msg->writerSN.low);
  /* A reliable writer has said in its heartbeat what it has before it sends what was missed. The thread is CycloneDDS's, awake, and often
     holds the writer's lock; where it does not, a value that is a moment old does no harm. */
  const struct ddsi_domaingv *gv = ddsrt_atomic_ldvoidp (&d->c.type->gv);
  const struct ddsi_proxy_writer *writer = gv ? ddsi_entidx_lookup_proxy_writer_guid (gv->entity_index, &guid) : NULL;
  d->newest = writer ? (int64_t) writer->last_seq : d->sequence;
  if (msg->smhdr.flags & DDSI_DATA_FLAG_INLINE_QOS)
  {
    const size_t start = submsg + offsetof (ddsi_rtps_data_datafrag_common_t, octetsToInlineQos) + sizeof (msg->octetsToInlineQos) + msg->octetsToInlineQos;
    const size_t end = DDSI_RDATA_PAYLOAD_OFF (first);
    if (start < end)
      read_inline_qos (d, packet + start, packet + end, msg->smhdr.flags & DDSI_RTPS_SUBMESSAGE_FLAG_ENDIANNESS);
  }
}

/* The options of plain CDR say how much of the end is padding (DDS-XTypes 1.3, 7.6.3.1.2). Senders that do not know this say 0. */
static void trim (struct serdata *d)
{
  if (d->size < ENCAPSULATION || d->data[0] != 0 || d->data[1] > 1)
    return;
  const uint32_t padding = d->data[3] & 3u;
  if (padding <= d->size - ENCAPSULATION)
    d->size -= padding;
  d->data[3] &= (uint8_t) ~3u;
}

static struct ddsi_serdata *serdata_from_ser (const struct ddsi_sertype *type, enum ddsi_serdata_kind kind, const struct ddsi_rdata *fragchain, size_t size)
{
  struct serdata *d = serdata_new (type, kind, size);
  if (d == NULL)
    return NULL;
  read_origin (d, fragchain);
  uint32_t off = 0;
  for (; fragchain; fragchain = fragchain->nextfrag)
  {
    /* Fragments may overlap: only what is new. */
    if (fragchain->maxp1 <= off || fragchain->maxp1 > size || fragchain->min > off)
      continue;
    const uint8_t *payload = DDSI_RMSG_PAYLOADOFF (fragchain->rmsg, DDSI_RDATA_PAYLOAD_OFF (fragchain));
    memcpy (d->data + off, payload + (off - fragchain->min), fragchain->maxp1 - off);
    off = fragchain->maxp1;
  }
  if (off != size)
  {
    serdata_free (&d->c);
    return NULL;
  }
  trim (d);
  return &d->c;
}

static struct ddsi_serdata *serdata_from_ser_iov (const struct ddsi_sertype *type, enum ddsi_serdata_kind kind, ddsrt_msg_iovlen_t niov, const ddsrt_iovec_t *iov, size_t size)
{
  struct serdata *d = serdata_new (type, kind, size);
  if (d == NULL)
    return NULL;
  size_t off = 0;
  for (ddsrt_msg_iovlen_t i = 0; i < niov && off < size; i++)
  {
    const size_t n = iov[i].iov_len <= size - off ? iov[i].iov_len : size - off;
    memcpy (d->data + off, iov[i].iov_base, n);
    off += n;
  }
  trim (d);
  return &d->c;
}

/* There are no keys: all samples of a topic are of one instance. */
static struct ddsi_serdata *serdata_from_keyhash (const struct ddsi_sertype *type, const ddsi_keyhash_t *keyhash)
{
  (void) keyhash;
  struct serdata *d = serdata_new (type, SDK_KEY, 0);
  return d ? &d->c : NULL;
}

static struct ddsi_serdata *serdata_to_untyped (const struct ddsi_serdata *c)
{
  struct serdata *d = serdata_new (c->type, SDK_KEY, 0);
  if (d == NULL)
    return NULL;
  d->c.type = NULL;
  return &d->c;
}

/* Samples are written and taken as serdata alone; what the application's own form is, nobody asks. */
static struct ddsi_serdata *serdata_from_sample (const struct ddsi_sertype *type, enum ddsi_serdata_kind kind, const void *sample)
{
  (void) sample;
  struct serdata *d = kind == SDK_KEY ? serdata_new (type, SDK_KEY, 0) : NULL;
  return d ? &d->c : NULL;
}

static bool serdata_to_sample (const struct ddsi_serdata *c, void *sample, void **bufptr, void *buflim)
{
  (void) c, (void) sample, (void) bufptr, (void) buflim;
  return false;
}

static bool serdata_untyped_to_sample (const struct ddsi_sertype *type, const struct ddsi_serdata *c, void *sample, void **bufptr, void *buflim)
{
  (void) type, (void) c, (void) sample, (void) bufptr, (void) buflim;
  return true;
}

static void serdata_to_ser (const struct ddsi_serdata *c, size_t off, size_t sz, void *buf)
{
  memcpy (buf, ((const struct serdata *) c)->data + off, sz);
}

static struct ddsi_serdata *serdata_to_ser_ref (const struct ddsi_serdata *c, size_t off, size_t sz, ddsrt_iovec_t *ref)
{
  ref->iov_base = ((struct serdata *) c)->data + off;
  ref->iov_len = (ddsrt_iov_len_t) sz;
  return ddsi_serdata_ref (c);
}

static void serdata_to_ser_unref (struct ddsi_serdata *c, const ddsrt_iovec_t *ref)
{
  (void) ref;
  ddsi_serdata_unref (c);
}

static bool serdata_eqkey (const struct ddsi_serdata *a, const struct ddsi_serdata *b)
{
  (void) a, (void) b;
  return true;
}

static size_t serdata_print (const struct ddsi_sertype *type, const struct ddsi_serdata *c, char *buf, size_t size)
{
  (void) type;
  return (size_t) snprintf (buf, size, "(%"PRIu32" bytes)", ((const struct serdata *) c)->size);
}

static void serdata_get_keyhash (const struct ddsi_serdata *c, ddsi_keyhash_t *buf, bool force_md5)
{
  (void) c, (void) force_md5;
  memset (buf, 0, sizeof (*buf));
}

static const struct ddsi_serdata_ops serdata_ops = {
  .eqkey = serdata_eqkey,
  .get_size = serdata_size,
  .from_ser = serdata_from_ser,
  .from_ser_iov = serdata_from_ser_iov,
  .from_keyhash = serdata_from_keyhash,
  .from_sample = serdata_from_sample,
  .to_ser = serdata_to_ser,
  .to_ser_ref = serdata_to_ser_ref,
  .to_ser_unref = serdata_to_ser_unref,
  .to_sample = serdata_to_sample,
  .to_untyped = serdata_to_untyped,
  .untyped_to_sample = serdata_untyped_to_sample,
  .free = serdata_free,
  .print = serdata_print,
  .get_keyhash = serdata_get_keyhash,
  .from_loaned_sample = NULL, /* of shared-memory plug-ins, which are not built in */
  .from_psmx = NULL
};

static void sertype_free (struct ddsi_sertype *tp)
{
  ddsi_sertype_fini (tp);
  ddsrt_free (tp);
}

static void sertype_zero_samples (const struct ddsi_sertype *tp, void *samples, size_t count) { (void) tp, (void) samples, (void) count; }
static void sertype_realloc_samples (void **ptrs, const struct ddsi_sertype *tp, void *old, size_t oldcount, size_t count) { (void) ptrs, (void) tp, (void) old, (void) oldcount, (void) count; }
static void sertype_free_samples (const struct ddsi_sertype *tp, void **ptrs, size_t count, dds_free_op_t op) { (void) tp, (void) ptrs, (void) count, (void) op; }
/* CycloneDDS compares the names itself. */
static bool sertype_equal (const struct ddsi_sertype *a, const struct ddsi_sertype *b) { (void) a, (void) b; return true; }
static uint32_t sertype_hash (const struct ddsi_sertype *tp) { (void) tp; return 0; }

static const struct ddsi_sertype_ops sertype_ops = {
  .version = ddsi_sertype_v0,
  .free = sertype_free,
  .zero_samples = sertype_zero_samples,
  .realloc_samples = sertype_realloc_samples,
  .free_samples = sertype_free_samples,
  .equal = sertype_equal,
  .hash = sertype_hash
};

/* In ddsi_transmit.c by build.rs: called for the first packet of each sample, of any type. */
extern void (*troika_inline_qos) (struct ddsi_xmsg *m, const struct ddsi_serdata *c);

static void add_inline_qos (struct ddsi_xmsg *m, const struct ddsi_serdata *c)
{
  if (c->ops != &serdata_ops)
    return;
  const struct serdata *d = (const struct serdata *) c;
  if (d->has_related)
  {
    const ddsi_parameterid_t pids[2] = { PID_RELATED_SAMPLE_IDENTITY, PID_FASTDDS_RELATED_SAMPLE_IDENTITY };
    for (size_t i = 0; i < 2; i++)
    {
      uint8_t *at = ddsi_xmsg_addpar (m, pids[i], 24);
      const int32_t high = (int32_t) (d->related_sequence >> 32);
      const uint32_t low = (uint32_t) d->related_sequence;
      memcpy (at, &d->related_guid, 16);
      memcpy (at + 16, &high, 4);
      memcpy (at + 20, &low, 4);
    }
  }
  if (d->not_cdr)
  {
    const uint32_t one = 1;
    memcpy (ddsi_xmsg_addpar (m, PID_TROIKA_NOT_CDR, 4), &one, 4);
  }
  if (d->refusal)
  {
    uint8_t *at = ddsi_xmsg_addpar (m, PID_TROIKA_REFUSAL, align4 (4 + d->refusal_len));
    memset (at, 0, align4 (4 + d->refusal_len));
    memcpy (at, &d->refusal_len, 4);
    memcpy (at + 4, d->refusal, d->refusal_len);
  }
}

const char *tdds_strerror (int32_t code) { return dds_strretcode (code); }

int32_t tdds_domain (uint32_t id, const char *config)
{
  /* Before any thread of CycloneDDS runs; the same value every time. */
  troika_inline_qos = add_inline_qos;
  return dds_create_domain (id, config);
}

int32_t tdds_delete (int32_t entity) { return dds_delete (entity); }
int32_t tdds_handle (int32_t entity, uint64_t *handle) { return dds_get_instance_handle (entity, handle); }
int32_t tdds_assert_liveliness (int32_t writer) { return dds_assert_liveliness (writer); }

int32_t tdds_guid (int32_t entity, uint8_t guid[16])
{
  dds_guid_t g;
  const dds_return_t rc = dds_get_guid (entity, &g);
  if (rc == DDS_RETCODE_OK)
    memcpy (guid, &g, 16);
  return rc;
}

int32_t tdds_participant (uint32_t domain, struct tdds_bytes user_data)
{
  dds_qos_t *qos = dds_create_qos ();
  dds_qset_userdata (qos, user_data.data, user_data.len);
  const dds_entity_t participant = dds_create_participant (domain, qos, NULL);
  dds_delete_qos (qos);
  return participant;
}

/* As create_readwrite_qos of rmw_cyclonedds. */
static dds_qos_t *endpoint_qos (const struct tdds_qos *q)
{
  dds_qos_t *qos = dds_create_qos ();
  const dds_history_kind_t history = q->depth > 0 ? DDS_HISTORY_KEEP_LAST : DDS_HISTORY_KEEP_ALL;
  const int32_t depth = q->depth > 0 ? q->depth : DDS_LENGTH_UNLIMITED;
  dds_qset_writer_data_lifecycle (qos, false);
  dds_qset_history (qos, history, depth);
  if (q->reliable)
    dds_qset_reliability (qos, DDS_RELIABILITY_RELIABLE, DDS_INFINITY);
  else
    dds_qset_reliability (qos, DDS_RELIABILITY_BEST_EFFORT, 0);
  if (q->transient_local)
  {
    dds_qset_durability (qos, DDS_DURABILITY_TRANSIENT_LOCAL);
    /* CycloneDDS keeps by this what late joiners get. */
    dds_qset_durability_service (qos, DDS_SECS (0), history, depth, DDS_LENGTH_UNLIMITED, DDS_LENGTH_UNLIMITED, DDS_LENGTH_UNLIMITED);
  }
  else
    dds_qset_durability (qos, DDS_DURABILITY_VOLATILE);
  dds_qset_deadline (qos, q->deadline_ns);
  dds_qset_lifespan (qos, q->lifespan_ns);
  dds_qset_liveliness (qos, q->manual_by_topic ? DDS_LIVELINESS_MANUAL_BY_TOPIC : DDS_LIVELINESS_AUTOMATIC, q->lease_ns);
  if (q->ignore_own)
    dds_qset_ignorelocal (qos, DDS_IGNORELOCAL_PARTICIPANT);
  if (q->user_data.len > 0)
    dds_qset_userdata (qos, q->user_data.data, q->user_data.len);
  return qos;
}

/* The topic lives as long as its readers and writers: the caller deletes it at once. */
static dds_entity_t topic_of_bytes (dds_entity_t participant, const char *name, const char *type, struct ddsi_sertype **registered)
{
  struct sertype *st = ddsrt_calloc_s (1, sizeof (*st));
  if (st == NULL)
    return DDS_RETCODE_OUT_OF_RESOURCES;
  ddsi_sertype_init_flags (&st->c, type, &sertype_ops, &serdata_ops, DDSI_SERTYPE_FLAG_TOPICKIND_NO_KEY);
  st->c.allowed_data_representation = DDS_DATA_REPRESENTATION_FLAG_XCDR1;
  struct ddsi_sertype *tp = &st->c;
  const dds_entity_t topic = dds_create_topic_sertype (participant, name, &tp, NULL, NULL, NULL);
  if (topic < 0)
    ddsi_sertype_unref (&st->c);
  else if (registered)
    *registered = tp;
  return topic;
}

static void on_data_available (dds_entity_t reader, void *arg)
{
  const struct tdds_listening *to = arg;
  to->on_data (to->arg, reader);
}

static void on_subscription_matched (dds_entity_t reader, const dds_subscription_matched_status_t status, void *arg)
{
  const struct tdds_listening *to = arg;
  (void) status;
  to->on_match (to->arg, reader);
}

static void on_publication_matched (dds_entity_t writer, const dds_publication_matched_status_t status, void *arg)
{
  const struct tdds_listening *to = arg;
  (void) status;
  to->on_match (to->arg, writer);
}

static dds_listener_t *listener_of (const struct tdds_listening *to)
{
  dds_listener_t *listener = dds_create_listener ((void *) to);
  if (listener && to->on_data)
    dds_lset_data_available (listener, on_data_available);
  if (listener && to->on_match)
  {
    dds_lset_subscription_matched (listener, on_subscription_matched);
    dds_lset_publication_matched (listener, on_publication_matched);
  }
  return listener;
}

static int32_t endpoint (bool is_reader, int32_t participant, const char *name, const char *type, const struct tdds_qos *q, const struct tdds_listening *to, const void **sertype)
{
  struct ddsi_sertype *registered = NULL;
  const dds_entity_t topic = topic_of_bytes (participant, name, type, &registered);
  if (topic < 0)
    return topic;
  dds_qos_t *qos = endpoint_qos (q);
  dds_listener_t *listener = listener_of (to);
  const dds_entity_t made = is_reader ? dds_create_reader (participant, topic, qos, listener) : dds_create_writer (participant, topic, qos, listener);
  dds_delete_listener (listener);
  dds_delete_qos (qos);
  /* The reader or writer holds on to it. */
  (void) dds_delete (topic);
  if (sertype)
    *sertype = registered;
  return made;
}

int32_t tdds_reader (int32_t participant, const char *topic, const char *type, const struct tdds_qos *qos, const struct tdds_listening *to)
{
  return endpoint (true, participant, topic, type, qos, to, NULL);
}

int32_t tdds_writer (int32_t participant, const char *topic, const char *type, const struct tdds_qos *qos, const struct tdds_listening *to, const void **sertype)
{
  return endpoint (false, participant, topic, type, qos, to, sertype);
}

int32_t tdds_write (int32_t writer, const void *sertype, struct tdds_bytes bytes, int64_t source_ns, int64_t sequence, const struct tdds_beside *beside)
{
  static const uint8_t header[ENCAPSULATION] = { 0, 1, 0, 0 };
  const bool cdr = is_cdr (bytes.data, bytes.len);
  if (bytes.len > UINT32_MAX - 64u)
    return DDS_RETCODE_BAD_PARAMETER;
  struct serdata *d = serdata_new (sertype, SDK_DATA, cdr ? bytes.len : bytes.len + ENCAPSULATION);
  if (d == NULL)
    return DDS_RETCODE_OUT_OF_RESOURCES;
  if (!cdr)
    memcpy (d->data, header, ENCAPSULATION);
  if (bytes.len > 0)
    memcpy (d->data + (cdr ? 0 : ENCAPSULATION), bytes.data, bytes.len);
  d->padding = align4 (d->size) - d->size;
  d->size += d->padding;
  d->data[3] = (uint8_t) d->padding;
  d->not_cdr = !cdr;
  d->sequence = sequence;
  d->c.timestamp.v = source_ns < 0 ? dds_time () : source_ns;
  dds_return_t rc = dds_get_guid (writer, &d->writer);
  if (rc == DDS_RETCODE_OK && beside && beside->has_related)
  {
    d->has_related = true;
    memcpy (&d->related_guid, beside->related_guid, 16);
    d->related_sequence = beside->related_sequence;
  }
  if (rc == DDS_RETCODE_OK && beside && beside->refusal.data)
  {
    d->refusal_len = beside->refusal.len < REFUSAL_MAX ? (uint32_t) beside->refusal.len : REFUSAL_MAX;
    if ((d->refusal = ddsrt_malloc_s (d->refusal_len + 1u)) == NULL)
      rc = DDS_RETCODE_OUT_OF_RESOURCES;
    else
      memcpy (d->refusal, beside->refusal.data, d->refusal_len);
  }
  if (rc != DDS_RETCODE_OK)
  {
    ddsi_serdata_unref (&d->c);
    return rc;
  }
  return dds_forwardcdr (writer, &d->c); /* takes the reference, whatever it returns */
}

int32_t tdds_take (int32_t reader, struct tdds_sample *sample)
{
  for (;;)
  {
    struct ddsi_serdata *taken = NULL;
    dds_sample_info_t info;
    const dds_return_t n = dds_takecdr (reader, &taken, 1, &info, DDS_ANY_STATE);
    if (n <= 0)
      return n;
    struct serdata *d = (struct serdata *) taken;
    if (!info.valid_data || d->c.kind != SDK_DATA)
    {
      /* A writer went: no message. */
      ddsi_serdata_unref (taken);
      continue;
    }
    if (!d->not_cdr && d->padding > 0)
    {
      /* Of a writer of this participant, which shares its sample with the network: the options are the network's. */
      struct serdata *copy = serdata_new (NULL, SDK_DATA, d->size - d->padding);
      if (copy == NULL)
      {
        ddsi_serdata_unref (taken);
        return DDS_RETCODE_OUT_OF_RESOURCES;
      }
      memcpy (copy->data, d->data, copy->size);
      copy->data[3] &= (uint8_t) ~3u;
      copy->sequence = d->sequence;
      copy->writer = d->writer;
      copy->has_related = d->has_related;
      copy->related_guid = d->related_guid;
      copy->related_sequence = d->related_sequence;
      if (d->refusal && (copy->refusal = ddsrt_malloc_s (d->refusal_len + 1u)) != NULL)
      {
        memcpy (copy->refusal, d->refusal, d->refusal_len);
        copy->refusal_len = d->refusal_len;
      }
      ddsi_serdata_unref (taken);
      taken = &copy->c;
      d = copy; /* its padding is 0 */
    }
    const uint32_t skip = d->not_cdr && d->size >= ENCAPSULATION ? ENCAPSULATION : 0;
    memset (sample, 0, sizeof (*sample));
    sample->held = taken;
    sample->data = d->data + skip;
    sample->size = d->size - d->padding - skip;
    sample->source_ns = info.source_timestamp;
    sample->sequence = d->sequence;
    sample->newest = d->newest > d->sequence ? d->newest : d->sequence;
    memcpy (sample->writer, &d->writer, 16);
    sample->beside.has_related = d->has_related;
    memcpy (sample->beside.related_guid, &d->related_guid, 16);
    sample->beside.related_sequence = d->related_sequence;
    sample->beside.refusal = (struct tdds_bytes) { d->refusal, d->refusal_len };
    return 1;
  }
}

void tdds_release (void *held) { ddsi_serdata_unref (held); }

static struct tdds_bytes user_data_of (const dds_qos_t *qos, void **held)
{
  size_t len = 0;
  *held = NULL;
  if (qos == NULL || !dds_qget_userdata (qos, held, &len))
    return (struct tdds_bytes) { NULL, 0 };
  return (struct tdds_bytes) { *held, len };
}

static void tell_endpoint (const dds_builtintopic_endpoint_t *end, bool alive, tdds_on_seen on_seen, void *arg)
{
  void *held;
  struct tdds_seen seen = { .alive = alive, .topic = end->topic_name ? end->topic_name : "", .type = end->type_name ? end->type_name : "" };
  memcpy (seen.guid, &end->key, 16);
  memcpy (seen.participant, &end->participant_key, 16);
  seen.user_data = user_data_of (end->qos, &held);
  on_seen (arg, &seen);
  dds_free (held);
}

static void tell_participant (const dds_builtintopic_participant_t *participant, bool alive, tdds_on_seen on_seen, void *arg)
{
  void *held;
  struct tdds_seen seen = { .alive = alive, .topic = "", .type = "" };
  memcpy (seen.guid, &participant->key, 16);
  memcpy (seen.participant, &participant->key, 16);
  seen.user_data = user_data_of (participant->qos, &held);
  on_seen (arg, &seen);
  dds_free (held);
}

int32_t tdds_discovery (int32_t participant, enum tdds_builtin which, const struct tdds_listening *to)
{
  static const dds_entity_t topics[] = { DDS_BUILTIN_TOPIC_DCPSPARTICIPANT, DDS_BUILTIN_TOPIC_DCPSPUBLICATION, DDS_BUILTIN_TOPIC_DCPSSUBSCRIPTION };
  dds_listener_t *listener = listener_of (to);
  const dds_entity_t reader = dds_create_reader (participant, topics[which], NULL, listener);
  dds_delete_listener (listener);
  return reader;
}

int32_t tdds_discovered (int32_t reader, enum tdds_builtin which, tdds_on_seen on_seen, void *arg)
{
  for (;;)
  {
    void *raw = NULL;
    dds_sample_info_t info;
    const dds_return_t n = dds_take (reader, &raw, &info, 1, 1);
    if (n <= 0)
      return n;
    /* Of one that is gone, the keys are sound and the rest is empty. */
    const bool alive = info.instance_state == DDS_IST_ALIVE && info.valid_data;
    if (which == TDDS_PARTICIPANTS)
      tell_participant (raw, alive, on_seen, arg);
    else
      tell_endpoint (raw, alive, on_seen, arg);
    (void) dds_return_loan (reader, &raw, n);
  }
}

int32_t tdds_matched (int32_t entity, bool is_reader, tdds_on_seen on_seen, void *arg)
{
  dds_instance_handle_t handles[256]; /* more than a ROS network has on one topic; the rest is not told */
  const size_t room = sizeof (handles) / sizeof (handles[0]);
  const dds_return_t n = is_reader ? dds_get_matched_publications (entity, handles, room) : dds_get_matched_subscriptions (entity, handles, room);
  if (n < 0)
    return n;
  for (size_t i = 0; i < (size_t) n && i < room; i++)
  {
    dds_builtintopic_endpoint_t *end = is_reader ? dds_get_matched_publication_data (entity, handles[i]) : dds_get_matched_subscription_data (entity, handles[i]);
    if (end == NULL)
      continue; /* it went since */
    tell_endpoint (end, true, on_seen, arg);
    dds_builtintopic_free_endpoint (end);
  }
  return DDS_RETCODE_OK;
}
