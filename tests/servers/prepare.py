"""Waits for the servers and makes a bucket or container in each: prepare.py SEAWEEDFS MINISTACK AZURITE WEBDAV S3RVER (ports)."""

import socket
import sys
import time

import boto3
from azure.storage.blob import BlobServiceClient
from botocore.config import Config

# The published key of the emulator.
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def until_it_works(name, attempt):
    end = time.monotonic() + 60
    while True:
        try:
            return attempt()
        except Exception as error:
            if time.monotonic() > end:
                sys.exit(f"{name} does not start: {error}")
            time.sleep(0.5)


def bucket(port, locks=False):
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="backupkey",
        aws_secret_access_key="backupsecret",
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )
    buckets = [each["Name"] for each in client.list_buckets()["Buckets"]]
    if "esker" not in buckets:
        client.create_bucket(Bucket="esker")
    if locks and "esker-locked" not in buckets:
        client.create_bucket(Bucket="esker-locked", ObjectLockEnabledForBucket=True)
    client.put_object(Bucket="esker", Key="first-write", Body=b"")
    client.delete_object(Bucket="esker", Key="first-write")


def container(port):
    address = f"http://127.0.0.1:{port}/devstoreaccount1"
    service = BlobServiceClient(account_url=address, credential=AZURITE_KEY, retry_total=0)
    service.create_container("esker")


def answers(port):
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


seaweedfs, ministack, azurite, webdav, s3rver = map(int, sys.argv[1:])
until_it_works("SeaweedFS", lambda: bucket(seaweedfs, locks=True))
until_it_works("ministack", lambda: bucket(ministack))
until_it_works("Azurite", lambda: container(azurite))
until_it_works("WsgiDAV", lambda: answers(webdav))
until_it_works("s3rver", lambda: answers(s3rver))
