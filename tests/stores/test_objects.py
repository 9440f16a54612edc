"""Objects of a real S3 endpoint: what is written, listed and removed, and what is asked for on the way."""

import os
from datetime import date, timedelta

import pyarrow as pa
import pytest

from airloom.core.errors import SetupError, Unavailable
from airloom.stores import objects
from airloom.stores import s3 as clients
from airloom.stores.content import content_version
from airloom.stores.files import copy_new, create_file, files_below, folders, read_bytes, remove_folder, replaced_file
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.vacuum import vacuum_uploads
from tests.servers.s3 import PAGE

DAY = date(2013, 1, 1)
MANY = 3 * PAGE + 1


def put(place, content=b"x"):
    with replaced_file(place) as file:
        file.write_bytes(content)


def publish(lake, day):
    rows = pa.table({"day": [day.toordinal()]})
    lake.replace("raw.things", PartitionVersion(day, content_version(rows)), rows)


def unfinished(bucket):
    return clients.s3_client().list_multipart_uploads(Bucket=bucket.bucket, Prefix=f"{bucket.key}/").get("Uploads", [])


def test_listings_are_read_to_their_last_page(place):
    for number in range(MANY):
        put(place / f"{number:02}" / "file")
    put(place.parent / f"{place.name}-another" / "file")
    assert sorted(each.place.parent.name for each in files_below(place)) == [f"{number:02}" for number in range(MANY)]
    assert folders(place) == [f"{number:02}" for number in range(MANY)]
    remove_folder(place)
    assert list(files_below(place)) == folders(place) == []


def test_a_file_that_is_there_is_not_created_again(place):
    create_file(place / "file", "first")
    create_file(place / "file", "second")
    assert read_bytes(place / "file") == b"first"
    with pytest.raises(FileNotFoundError):
        read_bytes(place / "other")


def test_files_of_a_commit_are_looked_for_by_one_listing_that_begins_with_the_first(bucket, request):
    lake = Lake(bucket)
    for number in range(MANY):
        publish(lake, DAY + timedelta(days=number))
    faulty = request.getfixturevalue("faulty")
    newest = DAY + timedelta(days=MANY - 1)
    assert lake.read("raw.things", [newest])["day"].tolist() == [newest.toordinal()]
    assert "HEAD" not in {method for method, _, _ in faulty.seen}
    assert sum("start-after" in path and "partition" in path for _, path, _ in faulty.seen) == 1


def test_a_big_file_that_fails_leaves_no_parts_behind(bucket, faulty):
    put(bucket / "big", b"old")
    faulty.spoil("SlowDown", 100, "PUT", "partNumber=2")
    with pytest.raises(Unavailable, match="does not do"):
        put(bucket / "big", bytes(20_000_000))
    assert "passed" in {fate for method, path, fate in faulty.seen if method == "PUT" and "partNumber=1" in path}
    assert unfinished(bucket) == []
    assert read_bytes(bucket / "big") == b"old"


def test_a_big_file_comes_back_as_it_was_written(bucket):
    content = os.urandom(20_000_000)
    put(bucket / "big", content)
    assert read_bytes(bucket / "big") == content


def test_parts_of_uploads_that_were_killed_are_removed(bucket, monkeypatch):
    upload = {"Bucket": bucket.bucket, "Key": f"{bucket.key}/killed"}
    begun = clients.s3_client().create_multipart_upload(**upload)["UploadId"]
    clients.s3_client().upload_part(**upload, UploadId=begun, PartNumber=1, Body=b"four")
    # The server says of every upload that it was begun in 2010.
    assert objects.abandoned_uploads(bucket, timedelta(days=365 * 50), abort=True) == []
    for dry_run, left in ((True, 1), (False, 0)):
        freed = vacuum_uploads(bucket, dry_run)
        assert (freed.files, freed.size, len(unfinished(bucket))) == (1, 4, left)
    assert vacuum_uploads(bucket, dry_run=False).files == 0


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_upload_that_has_just_ended_or_was_removed_by_another_vacuum_is_left_out(bucket, faulty, dry_run):
    begun = {"Bucket": bucket.bucket, "Key": f"{bucket.key}/killed"}
    for _ in range(2):
        clients.s3_client().create_multipart_upload(**begun)
    faulty.spoil("NoSuchUpload", 1, "GET" if dry_run else "DELETE", "uploadId")
    assert vacuum_uploads(bucket, dry_run).files == 1


@pytest.mark.parametrize("how", ["SlowDown", "reset", "lost"])
@pytest.mark.parametrize("times", [1, 2])
def test_what_fails_a_few_times_is_tried_again(bucket, faulty, how, times):
    faulty.spoil(how, times, "PUT")
    put(bucket / "file", b"content")
    create_file(bucket / "created", "once")
    faulty.spoil(how, times, "GET")
    assert read_bytes(bucket / "file") == b"content"
    faulty.spoil(how, times, "PUT")
    create_file(bucket / "created", "twice")
    assert read_bytes(bucket / "created") == b"once"
    assert len(faulty.seen) == 5 + 3 * times


def test_a_server_that_goes_on_failing_is_told_after_a_bounded_number_of_requests(bucket, faulty):
    put(bucket / "file")
    faulty.seen.clear()
    faulty.spoil("SlowDown", 1000)
    with pytest.raises(Unavailable):
        read_bytes(bucket / "file")
    assert len(faulty.seen) == clients.ATTEMPTS


def test_what_another_creates_at_the_same_moment_is_tried_again(bucket, faulty):
    faulty.spoil("ConditionalRequestConflict", clients.ATTEMPTS - 1, "PUT")
    create_file(bucket / "created", "once")
    faulty.spoil("ConditionalRequestConflict", 1, "PUT")
    create_file(bucket / "created", "twice")
    assert read_bytes(bucket / "created") == b"once"
    faulty.spoil("ConditionalRequestConflict", 1000, "PUT")
    faulty.seen.clear()
    with pytest.raises(Unavailable, match="does not do"):
        create_file(bucket / "other", "never")
    assert len(faulty.seen) == clients.ATTEMPTS


def test_a_file_that_is_copied_again_after_a_conflict_is_whole(bucket, faulty, tmp_path):
    (tmp_path / "file").write_bytes(b"whole")
    faulty.spoil("ConditionalRequestConflict", 1, "PUT")
    assert copy_new(tmp_path / "file", bucket / "copy")
    assert read_bytes(bucket / "copy") == b"whole"


@pytest.mark.parametrize("first", [True, False])
def test_a_commit_at_the_same_moment_as_another_is_tried_again(bucket, faulty, first):
    lake = Lake(bucket)
    if not first:
        publish(lake, DAY)
    faulty.spoil("ConditionalRequestConflict", 3, "PUT", "_delta_log")
    publish(lake, DAY + timedelta(days=1))
    assert lake.commit("raw.things") == (0 if first else 1)
    assert lake.read("raw.things", [DAY + timedelta(days=1)])["day"].tolist() == [DAY.toordinal() + 1]


@pytest.mark.parametrize("how", ["SlowDown", "reset", "lost"])
@pytest.mark.parametrize("part", ["_delta_log", ".parquet"])
def test_the_first_commit_of_a_table_is_made_once_whatever_happens_to_a_few_requests(bucket, faulty, how, part):
    faulty.spoil(how, 3, "PUT", part)
    publish(Lake(bucket), DAY)
    faulty.orders.clear()
    assert Lake(bucket).commit("raw.things") == 0
    assert Lake(bucket).read("raw.things", [DAY])["day"].tolist() == [DAY.toordinal()]


@pytest.mark.parametrize("how", ["SlowDown", "reset", "lost"])
@pytest.mark.parametrize("part", ["_delta_log", ".parquet", ""])
def test_a_partition_is_committed_once_whatever_happens_to_a_few_requests(bucket, faulty, how, part):
    lake = Lake(bucket)
    publish(lake, DAY)
    faulty.spoil(how, 3, "PUT" if part else "", part)
    publish(lake, DAY + timedelta(days=1))
    # A commit that was lost is found when the writer looks again.
    spoiled = 1 if (how, part) == ("lost", "_delta_log") else 3
    assert [fate for _, _, fate in faulty.seen].count(how) == spoiled
    faulty.orders.clear()
    assert lake.commit("raw.things") == 1
    days = [DAY, DAY + timedelta(days=1)]
    assert sorted(lake.read("raw.things", days)["day"]) == [day.toordinal() for day in days]


@pytest.mark.parametrize("part", ["_delta_log", ""])
def test_a_partition_that_cannot_be_written_is_told_after_a_bounded_number_of_requests(bucket, faulty, part):
    lake = Lake(bucket)
    publish(lake, DAY)
    faulty.seen.clear()
    faulty.spoil("reset", 10_000, "PUT" if part else "", part)
    with pytest.raises(Unavailable):
        publish(lake, DAY + timedelta(days=1))
    assert len(faulty.seen) < 200
    faulty.orders.clear()
    assert (lake.commit("raw.things"), list(lake.partitions("raw.things"))) == (0, [DAY])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"AIRLOOM_S3_ENCRYPTION": "AES256"}, ("AES256", None)),
        ({"AIRLOOM_S3_ENCRYPTION": "aws:kms", "AIRLOOM_S3_KMS_KEY": "some-key"}, ("aws:kms", "some-key")),
    ],
)
def test_everything_is_encrypted_as_the_settings_say(bucket, monkeypatch, settings, expected):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    put(bucket / "small")
    put(bucket / "big", bytes(20_000_000))
    create_file(bucket / "created", "once")
    publish(Lake(bucket), DAY)
    kept = [each.place.key for each in files_below(bucket)]
    heads = [clients.s3_client().head_object(Bucket=bucket.bucket, Key=key) for key in kept]
    assert len(kept) == 5
    assert {(each.get("ServerSideEncryption"), each.get("SSEKMSKeyId")) for each in heads} == {expected}


@pytest.mark.parametrize(
    "settings",
    [{"AIRLOOM_S3_ENCRYPTION": "rot13"}, {"AIRLOOM_S3_ENCRYPTION": "AES256", "AIRLOOM_S3_KMS_KEY": "k"}],
)
def test_an_encryption_that_there_is_not_is_refused_before_anything_is_written(bucket, monkeypatch, settings):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for write in (lambda: put(bucket / "file"), lambda: publish(Lake(bucket), DAY)):
        with pytest.raises(SetupError, match="not a way for S3 to encrypt"):
            write()
    assert list(files_below(bucket)) == []
