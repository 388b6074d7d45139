# For accounts that have no filter of their own: what the spam filter has marked goes to the junk folder.
require ["fileinto", "mailbox"];

if header :is "X-Spam-Flag" "YES" {
    fileinto :create "Junk";
}
