-- A migration of its own: those who write hold number_events and change_feed in either order, and one transaction that
-- locked both could end in a deadlock with them.
CREATE FUNCTION "tell_comment"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "change_feed" ("number_id", "account_id", "kind", "event_id")
    SELECT "id", "account_id", 'comment', NEW."id" FROM "numbers" WHERE "id" = NEW."number_id";
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER "comments_told" AFTER INSERT ON "number_events" FOR EACH ROW
  WHEN (NEW."type" IN ('comment', 'comment.internal', 'question.asked', 'question.answered')) EXECUTE FUNCTION "tell_comment"();
